document.getElementById('roll').addEventListener('click', () => {
  const number = 1 + Math.floor(Math.random() * 6);
  document.getElementById('results').textContent = String(number);
});
