const assert = require('node:assert');
const fs = require('node:fs');
const test = require('node:test');

test('the page loads its script', () => {
  assert.match(fs.readFileSync('public/index.html', 'utf8'), /src="\/list\.js"/);
});
