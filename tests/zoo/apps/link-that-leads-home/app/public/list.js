const form = document.getElementById('new');
const items = document.getElementById('items');

form.addEventListener('submit', (event) => {
  event.preventDefault();
  const item = document.createElement('li');
  item.textContent = form.elements.what.value;
  items.append(item);
  form.reset();
});
