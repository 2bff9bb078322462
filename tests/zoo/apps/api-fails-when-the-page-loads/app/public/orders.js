const state = document.getElementById('state');

fetch('/api/orders')
  .then((answer) => (answer.ok ? answer.json() : []))
  .then((orders) => {
    state.textContent = `${orders.length} orders`;
  });
