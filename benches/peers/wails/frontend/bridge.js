// How the bench's page talks to the backend of this app, as far as the development loop needs it.

/** Calls a bound method: `revision` is `Revision` in Go. Arguments go by their place. */
export const invoke = (command, values = {}) =>
  window.go.main.App[command[0].toUpperCase() + command.slice(1)](...Object.values(values));

export const listen = (event, handler) => window.runtime.EventsOn(event, handler);

const absent = () => Promise.reject(new Error("only the development loop is measured with Wails"));
export const down = absent;
export const up = absent;
