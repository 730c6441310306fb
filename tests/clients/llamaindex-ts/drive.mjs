// Drives LlamaIndex's tool for TypeScript as its documentation shows. Says what it saw as the Python drivers do
// (driving/checks.py). Runs with the client's own packages, which hold nothing of Tollgate.

import assert from "node:assert/strict";
import fs from "node:fs/promises";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const home = createRequire(new URL("../../../.tools/clients/llamaindex-ts/", import.meta.url));
const entry = pathToFileURL(home.resolve("@llamaindex/azure"));
const { AzureDynamicSessionTool } = await import(new URL("index.js", entry));
const { version: VERSION } = JSON.parse(await fs.readFile(new URL("../package.json", entry), "utf8"));

const { PROXY, KEY, SPENT_KEY, REVOKED_KEY } = process.env;
const SAW_CHARACTERS_MAX = 400;
const CSV = "name,age\nada,36\ngrace,45\nalan,41\n";
const FILE_NAME = "sp ace \u00e9.csv";
const MEAN = `import pandas as pd\nprint(pd.read_csv('/mnt/data/${FILE_NAME}').age.mean())`;
const PLOT = "import matplotlib.pyplot as plt\nplt.plot([1, 4, 9])\nplt.show()";
const PNG = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
const ODD_NAME = "a/b \u03b1+1&x=2?#%25"; // all that a URL has a meaning for

const report = console.log;
console.log = () => {}; // where the tool writes down each call and each answer

const makeTool = (key = KEY, sessionId) =>
  new AzureDynamicSessionTool({
    poolManagementEndpoint: PROXY,
    azureADTokenProvider: async () => key,
    ...(sessionId && { sessionId }),
  });

const paidSessions = async () => {
  const answer = await fetch(`${PROXY}/usage/entries?limit=1000`, { headers: { Authorization: `Bearer ${KEY}` } });
  return (await answer.json()).entries.map((found) => found.session);
};

const expectMessage = async (key, message) => {
  const answer = await makeTool(key).call({ code: "1" });
  assert.match(answer.result, message);
  assert.equal(answer.stderr, answer.result);
  await assert.rejects(makeTool(key).listFiles(), /HTTP error!/);
  return "the message as the result";
};

const tool = makeTool();

const checks = {
  run: async () => {
    const answer = await tool.call({ code: "x = 6\nprint('six')\nx * 7" });
    assert.deepEqual([answer.result, answer.stdout, answer.stderr], [42, "six\n", ""]);
  },

  state: async () => {
    assert.equal((await tool.call({ code: "x" })).result, 6);
  },

  upload: async () => {
    const uploaded = await tool.uploadFile({ data: new Blob([CSV]), remoteFilename: FILE_NAME });
    assert.deepEqual([uploaded.filename, uploaded.size], [FILE_NAME, CSV.length]);
    assert.match((await tool.call({ code: MEAN })).stdout, /40\.66/);
  },

  list: async () => {
    const listed = await tool.listFiles();
    assert.deepEqual(listed.map((file) => [file.filename, file.size]), [[FILE_NAME, CSV.length]]);
  },

  download: async () => {
    const stream = await tool.downloadFile({ remoteFilename: FILE_NAME });
    assert.equal(await new Response(stream).text(), CSV);
  },

  image: async () => {
    const { result } = await tool.call({ code: PLOT });
    const [folder, name] = result.split("/"); // the tool appends the name to a path that ends with it already
    const picture = await fs.readFile(`${folder}/${name}`);
    assert.deepEqual(picture.subarray(0, PNG.length), PNG);
  },

  error: async () => {
    assert.match((await tool.call({ code: "1/0" })).stderr, /ZeroDivisionError: division by zero/);
  },

  quota: () => expectMessage(SPENT_KEY, /session minutes/),

  revoked: () => expectMessage(REVOKED_KEY, /API key/),

  name: async () => {
    await makeTool(KEY, ODD_NAME).call({ code: "name = 'odd'" });
    assert.equal((await makeTool(KEY, ODD_NAME).call({ code: "name" })).result, "odd");
    assert.ok((await paidSessions()).includes(ODD_NAME));
  },

  identity: async () => {
    Object.assign(process.env, { IDENTITY_ENDPOINT: `${PROXY}/msi/token`, IDENTITY_HEADER: KEY });
    const keyless = new AzureDynamicSessionTool({ poolManagementEndpoint: PROXY, sessionId: tool.sessionId });
    assert.equal((await keyless.call({ code: "x" })).result, 6);
  },
};

const seen = {};
for (const [name, check] of Object.entries(checks)) {
  try {
    const note = await check();
    seen[name] = { passed: true, saw: "as expected", ...(note && { note }) };
  } catch (error) {
    seen[name] = { passed: false, saw: `${error}`.slice(0, SAW_CHARACTERS_MAX) };
  }
}
report(JSON.stringify({ [`LlamaIndex TypeScript ${VERSION}`]: seen }));
