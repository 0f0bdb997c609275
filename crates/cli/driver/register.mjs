// Loaded before the tests (`node --import`): `@staysail/api/test` is the driver beside this file, the version of the
// command that runs them, whether or not the project has packages of its own.
import { register } from "node:module";

const driver = new URL("./test.mjs", import.meta.url).href;
const hooks = `export const resolve = (name, context, next) =>
  name === "@staysail/api/test" ? { url: ${JSON.stringify(driver)}, shortCircuit: true } : next(name, context);`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
