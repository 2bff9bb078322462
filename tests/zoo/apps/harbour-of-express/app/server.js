const express = require('express');
const { berths } = require('./berths');

const app = express();
app.use(express.static('public'));
app.get('/health', (request, response) => response.json({ ok: true }));
app.get('/api/berths', (request, response) => response.json(berths()));
app.listen(process.env.PORT || 3000);
