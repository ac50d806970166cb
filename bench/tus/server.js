// server.js PORT FOLDER - @tus/server with @tus/file-store as they come: one
// process, no locks shared, nothing synced. Prints "ready" when it listens.
// SPDX-License-Identifier: Apache-2.0
"use strict";
const { Server } = require("@tus/server");
const { FileStore } = require("@tus/file-store");

const [port, directory] = process.argv.slice(2);
const server = new Server({
  path: "/files",
  datastore: new FileStore({ directory }),
});
server.listen({ host: "127.0.0.1", port: Number(port) }, () => {
  console.log("ready");
});
process.on("SIGTERM", () => process.exit(0));
