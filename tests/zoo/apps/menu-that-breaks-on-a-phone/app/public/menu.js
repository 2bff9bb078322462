const narrow = window.matchMedia('(max-width: 600px)');

function fold() {
  const handle = document.querySelector('#menu .handle');
  handle.addEventListener('click', () => handle.parentElement.classList.toggle('open'));
}

if (narrow.matches) fold();
