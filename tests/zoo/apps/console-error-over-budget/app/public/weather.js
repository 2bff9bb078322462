const place = document.getElementById('now').dataset.place;

if (!place) {
  console.error('no place was given, the forecast is that of the capital');
}
