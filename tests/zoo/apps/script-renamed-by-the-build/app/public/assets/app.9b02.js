document.getElementById('times').dataset.ready = 'yes';
