/** Runs the Khronos validator over a GLB and reports every issue. */

import { readFileSync } from "node:fs";

import validator from "gltf-validator";

import { report } from "./columns.mjs";

const { issues } = await validator.validateBytes(new Uint8Array(readFileSync(process.argv[2])), { maxIssues: 0 });
report(issues.messages.map(({ code, message, severity, pointer }) => ({ code, message, severity, pointer })));
