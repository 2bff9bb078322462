export function render(place, notes) {
  if (!place) return;
  const list = document.createElement('ul');
  list.append(...notes.map((note) => {
    const item = document.createElement('li');
    item.textContent = note;
    return item;
  }));
  place.replaceChildren(list);
}
