// A whole life of a running compute through the client that scripts/openapi-client generated from its OpenAPI document.
// Usage: node driver.cjs CLIENT_DIRECTORY URL. Prints what it saw, as JSON; ends with 1 and the reason when something is wrong.
"use strict";
const assert = require("node:assert");
const path = require("node:path");
const [directory, url] = process.argv.slice(2);
const { ApiError, DefaultService: compute, OpenAPI } = require(path.resolve(directory, "client"));
OpenAPI.BASE = url;

async function refused(call, status) {
  try {
    await call;
  } catch (error) {
    assert(error instanceof ApiError, String(error));
    assert.strictEqual(error.status, status, JSON.stringify(error.body));
    return error.body.error;
  }
  throw new Error("a request was not refused with " + status);
}

async function main() {
  const first = await compute.getStatus();
  assert.strictEqual(first.status, "running");
  assert.strictEqual(first.error, null);

  const before = await compute.checkWritability({});
  const reloaded = await compute.configure({ requestBody: { settings: ["work_mem = 7MB"] } });
  assert.deepStrictEqual(reloaded, { restarted: false, needed_restart: [], overridden: [] });
  const bad = await refused(compute.configure({ requestBody: { settings: ["work_mem = plenty"] } }), 400);
  assert.match(bad.message, /work_mem/);

  const restarting = compute.configure({ requestBody: { settings: ["work_mem = 7MB", "max_connections = 41"] } });
  let state;
  do state = (await compute.getStatus()).status;
  while (!state.startsWith("configuration"));
  const second = await refused(compute.configure({ requestBody: { settings: [] } }), 412);
  assert.deepStrictEqual(second.allowed_states, ["running"]);
  assert(second.state.startsWith("configuration"), second.state);
  const restarted = await restarting;
  assert.deepStrictEqual(restarted.needed_restart, ["max_connections"]);
  assert.strictEqual(restarted.restarted, true);
  const now = await compute.getStatus();
  assert.deepStrictEqual(now.settings, ["work_mem = 7MB", "max_connections = 41"]);
  assert.strictEqual(now.incarnations, first.incarnations + 1);

  const steps = await compute.getStartupMetrics();
  assert(steps.total_startup_ms > 0);
  assert.match(await compute.getMetrics(), /strata_compute_startup_seconds_count\{step="total"\} /);
  const after = await compute.checkWritability({});

  const ended = await compute.terminate({ mode: "fast" });
  const last = await compute.getStatus();
  assert.strictEqual(last.status, "terminated");
  await refused(compute.terminate({}), 412);
  console.log(JSON.stringify({ first, before, after, steps, ended, last }));
}

main().catch((error) => {
  console.error(error.stack, error.body === undefined ? "" : JSON.stringify(error.body));
  process.exit(1);
});
