// Makes the HTTP requests that standard input lists, side by side, and prints how
// each one ended. For Node.js 12 and later. No proxy of the environment is used.
'use strict';
const dns = require('dns');
const http = require('http');
const net = require('net');
const tls = require('tls');

const given = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const end = Date.now() + given.seconds * 1000;
let pending = given.requests.length;

// settle notes how a request ended, the first time that it is called for it.
function settle(answer, failure, detail) {
  if (answer.settled) return;
  answer.settled = true;
  answer.failure = failure;
  answer.detail = detail || '';
  pending--;
  if (pending === 0) report();
}

function report() {
  const answers = given.requests.map(({answer: a}) => ({
    failure: a.failure,
    status: a.status,
    body: Buffer.concat(a.body).slice(0, given.limit).toString('base64'),
    address: a.address,
    detail: a.detail,
  }));
  process.stdout.write('\n' + given.marker + JSON.stringify(answers) + '\n', () => process.exit(0));
}

function connect(request, answer, found, then) {
  const socket = net.connect({host: found[0].address, port: request.port});
  // Each address gets its share of the time.
  const timer = setTimeout(() => {
    socket.destroy(Object.assign(new Error('connecting took too long'), {code: 'ETIMEDOUT'}));
  }, Math.max(end - Date.now(), 1) / found.length);
  const failed = (error) => {
    clearTimeout(timer);
    if (found.length > 1) return connect(request, answer, found.slice(1), then);
    settle(answer, error.code === 'ETIMEDOUT' ? 'timeout' : 'refused', error.message);
  };
  socket.once('error', failed);
  socket.once('connect', () => {
    clearTimeout(timer);
    socket.removeListener('error', failed);
    socket.on('error', (error) => settle(answer, 'empty', error.message));
    answer.address = found[0].address;
    then(socket);
  });
}

function secure(request, answer, socket, then) {
  const servername = net.isIP(request.host) ? undefined : request.host;
  const secured = tls.connect({socket, servername, rejectUnauthorized: false});
  secured.on('error', (error) => settle(answer, 'empty', 'no TLS there: ' + error.message));
  secured.once('secureConnect', () => then(secured));
}

function ask(request, answer, socket) {
  const headers = {'User-Agent': 'ollama-bind', 'Accept': '*/*', 'Connection': 'close'};
  for (const [name, value] of request.headers) headers[name] = value;
  const sent = http.request({createConnection: () => socket, method: 'GET', path: request.target, headers});
  sent.on('error', (error) => settle(answer, 'empty', error.message));
  sent.on('response', (response) => {
    let size = 0;
    answer.status = response.statusCode;
    response.on('data', (piece) => {
      answer.body.push(piece);
      size += piece.length;
      if (size < given.limit) return;
      settle(answer, '', '');
      socket.destroy();
    });
    response.on('end', () => settle(answer, '', ''));
    response.on('aborted', () => settle(answer, 'empty', 'the answer was cut off'));
    response.on('error', (error) => settle(answer, 'empty', error.message));
  });
  sent.end();
}

function fetch(request) {
  const answer = request.answer;
  dns.lookup(request.host, {all: true}, (error, found) => {
    if (error) return settle(answer, 'dns', error.message);
    answer.address = found[0].address;
    answer.failure = 'timeout';
    answer.detail = 'no answer in time';
    connect(request, answer, found, (socket) => {
      if (!request.tls) return ask(request, answer, socket);
      secure(request, answer, socket, (secured) => ask(request, answer, secured));
    });
  });
}

for (const request of given.requests) {
  // It counts as late until it has ended otherwise.
  request.answer = {settled: false, failure: 'dns', status: 0, body: [], address: '', detail: 'no address in time'};
}
given.requests.forEach(fetch);
setTimeout(report, given.seconds * 1000);
if (pending === 0) report();
