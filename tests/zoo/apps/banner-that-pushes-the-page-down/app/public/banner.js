window.setTimeout(() => {
  const banner = document.createElement('p');
  banner.style.cssText = 'height: 60vh; margin: 0; background: #fe9';
  banner.textContent = 'Read us for a month, free.';
  document.querySelector('main').prepend(banner);
}, 300);
