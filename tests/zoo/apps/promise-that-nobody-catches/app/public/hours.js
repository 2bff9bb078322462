async function today() {
  const answer = await fetch('/api/hours');
  const hours = await answer.json();
  return `${hours.from} to ${hours.until}`;
}

today().then((text) => {
  document.getElementById('hours').textContent = text;
});
