if (!('EventSource' in window) || !document.body.dataset.stream) {
  console.error('live numbers are switched off: no stream is configured');
}
