// How the bench's page calls the backend of this app.
export { invoke } from "/__staysail/api.js";
