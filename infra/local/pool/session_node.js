// The program inside a JavaScript session: evaluates code in one lasting context, as a REPL does.
//
// Requests and replies are lines of JSON on the descriptor that the command line names. What the code prints goes to
// the standard streams, which the pool reads itself. Two threads: this one evaluates; a watchdog terminates code that
// does not come back, be it after an `await`, so that the session goes on with its variables.
"use strict";

const inspector = require("node:inspector");
const { createRequire } = require("node:module");
const { Socket } = require("node:net");
const { inspect } = require("node:util");
const { Worker, isMainThread, parentPort } = require("node:worker_threads");

const WATCHDOG_MILLISECONDS = 200;
// The code may put others in the place of these.
const { parse, stringify } = JSON;
const { getPrototypeOf, prototype: plainPrototype } = Object;

// Terminate what the main thread is doing, unless told in time that it has come back.
function watch() {
  const session = new inspector.Session();
  session.connectToMainThread();
  let timer;
  parentPort.on("message", (milliseconds) => {
    clearTimeout(timer);
    if (milliseconds !== null) {
      timer = setTimeout(() => session.post("Runtime.terminateExecution"), milliseconds + WATCHDOG_MILLISECONDS);
    }
  });
}

function main(descriptor) {
  const evaluator = new Evaluator();
  const channel = new Socket({ fd: descriptor });
  let received = "";
  let turn = Promise.resolve();
  channel.setEncoding("utf8");
  channel.on("data", (piece) => {
    received += piece;
    const lines = received.split("\n");
    received = lines.pop();
    for (const line of lines) {
      turn = turn.then(() => evaluator.serve(parse(line))).then((reply) => channel.write(`${reply}\n`));
    }
  });
  channel.on("close", () => process.exit());
  channel.on("error", () => process.exit());
  channel.write('{"id":0}\n');
}

class Evaluator {
  constructor() {
    this.session = new inspector.Session();
    this.session.connect();
    this.watchdog = new Worker(__filename);
    this.raised = null; // errors that nobody caught while an execution is running
    process.on("uncaughtException", (error) => {
      this.raised?.push(explain(error));
    });
    // Without waiting, what a fast loop prints would pile up in memory.
    for (const stream of [process.stdout, process.stderr]) {
      stream._handle?.setBlocking?.(true);
    }
    const require = createRequire(`${process.cwd()}/`);
    const module = { exports: {} };
    Object.assign(globalThis, { require, module, exports: module.exports });
    // What an evaluation gives is known to the protocol by a handle; calling this one with it hands the value over.
    globalThis.take = (value) => {
      this.taken = value;
    };
    this.session.post("Runtime.evaluate", { expression: "take" }, (_, { result }) => {
      this.taker = result.objectId;
    });
    delete globalThis.take;
  }

  // Run one request to its end or its timeout; return the reply as text.
  async serve({ id, code, seconds }) {
    this.raised = [];
    const [ending, result] = await this.run(id, code, seconds * 1000);
    const error = this.raised.join("\n");
    this.raised = null;
    this.session.post("Runtime.releaseObjectGroup", { objectGroup: "execution" });
    await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
    const shown = ending === "succeeded" && error ? "raised" : ending;
    return `{"id":${id},"ending":"${shown}","error":${stringify(error)},"result":${result}}`;
  }

  async run(id, code, milliseconds) {
    let timer;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, milliseconds, ["timed_out", '""']);
    });
    this.watchdog.postMessage(milliseconds);
    try {
      return await Promise.race([this.evaluate(code, `execution-${id}.js`), late]);
    } catch (error) {
      this.raised.push(explain(error));
      return ["raised", '""'];
    } finally {
      clearTimeout(timer);
      this.watchdog.postMessage(null);
    }
  }

  // In the mode of a REPL, `const` may be declared again and `await` may stand at the top.
  async evaluate(code, name) {
    const expression = `${code}\n//# sourceURL=${name}`;
    const options = { expression, replMode: true, objectGroup: "execution" };
    const { failure, answer } = await new Promise((resolve) => {
      // From an empty stack, so that the code's own errors show little of this program.
      setImmediate(() => {
        this.session.post("Runtime.evaluate", options, (failure, answer) => resolve({ failure, answer }));
      });
    });
    if (failure) {
      return ["timed_out", '""']; // only the watchdog ends an evaluation
    }
    if (answer.exceptionDetails) {
      const { exception, lineNumber } = answer.exceptionDetails;
      const error = this.valueOf(exception);
      if (error instanceof SyntaxError && !error.stack.includes(`${name}:`)) {
        const line = Math.min(lineNumber + 1, code.split("\n").length);
        error.stack = `${error.name}: ${error.message}\n    at ${name}:${line}`;
      }
      throw error;
    }
    return ["succeeded", described(await this.valueOf(answer.result))];
  }

  valueOf({ objectId, value, unserializableValue, type }) {
    const argument = type === "undefined" ? {} : objectId ? { objectId } : { value, unserializableValue };
    const functionDeclaration = "function (value) { this(value); }";
    this.session.post("Runtime.callFunctionOn", { objectId: this.taker, functionDeclaration, arguments: [argument] });
    const { taken } = this;
    this.taken = undefined;
    return taken;
  }
}

function explain(error) {
  const shown = error instanceof Error ? inspect(error) : `Uncaught ${inspect(error)}`;
  // Without the frames of Node and of this program; the brace after the last one opens the error's properties.
  return shown.replace(/\n\s+at [^\n]*(?:node:inspector|node:internal|session_node\.js)[^\n]*?( \{)?$/gm, "$1");
}

// The value of the last expression as JSON; as text where JSON would lose it; `""` if there is none.
function described(value) {
  if (value === undefined) {
    return '""';
  }
  const plain = value === null || typeof value !== "object" || Array.isArray(value) || isPlain(value);
  if (plain && !(typeof value === "number" && !Number.isFinite(value))) {
    try {
      const json = stringify(value);
      if (json !== undefined) {
        return json;
      }
    } catch {
      // circular, or with a bigint in it
    }
  }
  return stringify(inspect(value));
}

function isPlain(value) {
  const prototype = getPrototypeOf(value);
  return prototype === plainPrototype || prototype === null || typeof value.toJSON === "function";
}

function flushed(stream) {
  return new Promise((resolve) => stream.write("", resolve));
}

if (isMainThread) {
  main(Number(process.argv[2]));
} else {
  watch();
}
