import { render } from './view.js';

render(document.querySelector('#app'), ['Buy milk', 'Call Ada']);
