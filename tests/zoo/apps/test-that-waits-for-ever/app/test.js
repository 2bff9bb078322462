const assert = require('node:assert');
const { Mailer } = require('./mailer');

const mailer = new Mailer();
const sent = new Promise((resolve) => mailer.once('sent', resolve));
mailer.send('ada@example.com');

sent.then((to) => {
  assert.equal(to, 'ada@example.com');
  process.exit(0);
});
