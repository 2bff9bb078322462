const assert = require('node:assert');
const { slug } = require('../slug');

describe('slug', () => {
  it('joins words by a dash', () => {
    assert.strictEqual(slug('Spring menu'), 'spring-menu');
  });

  it('writes letters without their marks', () => {
    assert.strictEqual(slug('Crème brûlée'), 'creme-brulee');
  });
});
