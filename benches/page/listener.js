// A window that only counts events.
import { hear } from "./events.js";

void hear();
