const { EventEmitter } = require('node:events');

class Mailer extends EventEmitter {
  send(to) {
    setInterval(() => this.emit('attempt', to), 1000);
  }
}

module.exports = { Mailer };
