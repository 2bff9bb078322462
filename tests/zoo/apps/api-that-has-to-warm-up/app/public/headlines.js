fetch('/api/headlines')
  .then((answer) => (answer.ok ? answer.json() : []))
  .then(([first]) => {
    if (first) document.getElementById('first').textContent = first;
  });
