// A course's page while it is open: places and names appear as they are booked, and it says
// when it does not hear of them. Where there is no WebSocket the places alone appear.
"use strict"

const SILENCE = 40_000 // ms; the server says something every 15 s
const LONGEST = 30_000 // ms between two attempts
const RENEWED = 1012 // the server has a successor, which is there already
const SAID = {
  live: "Live: bookings appear here as they are made.",
  part: "Free places are live. Reload the page to see who comes.",
  lost: "Not connected: this page may be out of date. Trying again.",
}

const at = id => document.getElementById(id)
const page = location.pathname
let socket // the one that is listened to
let events // instead of one
let silence, attempt
let failures = 0 // in a row
let hasWorked = false

function say(state) {
  const line = at("line")
  line.dataset.state = state
  if (line.textContent !== SAID[state]) line.textContent = SAID[state]
}

function showFree(free) {
  if (at("free").textContent !== String(free)) at("free").textContent = free
  at("full").hidden = free > 0
  if (at("book")) at("book").disabled = free === 0
}

function showNames(names) {
  const list = at("who")
  const shown = [...list.children].map(item => item.textContent)
  if (JSON.stringify(names) === JSON.stringify(shown)) return
  list.replaceChildren(...names.map(name => {
    const item = document.createElement("li")
    item.textContent = name
    return item
  }))
  list.hidden = names.length === 0
  at("nobody").hidden = names.length > 0
}

function connect() {
  clearTimeout(attempt)
  const address = new URL(`${page}/board`, location.href)
  address.protocol = address.protocol.replace("http", "ws")
  const mine = socket = new WebSocket(address)
  mine.onopen = () => { hasWorked = true }
  mine.onmessage = event => {
    const board = JSON.parse(event.data)
    failures = 0
    showFree(board.free)
    showNames(board.names)
    say("live")
    waitFor(mine)
  }
  mine.onclose = event => lose(mine, event.code)
  waitFor(mine)
}

// A network that has gone says nothing.
function waitFor(mine) {
  clearTimeout(silence)
  silence = setTimeout(() => lose(mine, 0), SILENCE)
}

function lose(mine, code) {
  if (mine !== socket) return // given up before
  socket = undefined
  clearTimeout(silence)
  mine.close()
  failures += 1
  if (code !== RENEWED) say("lost")
  if (!hasWorked && failures > 1) listen()
  else attempt = setTimeout(connect, pause(code))
}

// All open pages lose a server at the same moment: they do not come back at the same one.
function pause(code) {
  const most = code === RENEWED ? 500 : Math.min(LONGEST, 500 * 2 ** failures)
  return most * (1 + Math.random()) / 2
}

// Something between us and the server does not know WebSockets, or refuses ours.
function listen() {
  events = new EventSource(`${page}/live`)
  events.onmessage = event => {
    showFree(Number(event.data))
    say("part")
  }
  events.onerror = () => {
    say("lost")
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, pause(0))
  }
}

function now() {
  if (!socket && !events && !document.hidden) connect()
}

addEventListener("online", now)
document.addEventListener("visibilitychange", now)
if ("WebSocket" in window) connect()
else listen()
