const lines = document.getElementById('lines');

function show(basket) {
  let total = 0;
  for (const line of basket.lines) {
    const item = document.createElement('li');
    item.textContent = `${line.tool}, ${line.days} days`;
    lines.append(item);
    total += line.days * line.price.daily - line.discount.amount;
  }
  document.getElementById('total').textContent = total.toFixed(2);
}

fetch('/api/basket').then((answer) => answer.json()).then((basket) => {
  window.setTimeout(() => show(basket), 0);
});
