// How the bench's page calls the backend of this app.
export const invoke = window.__TAURI__.core.invoke;
