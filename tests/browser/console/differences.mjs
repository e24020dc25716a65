// What a change of a policy is shown as: no page is opened.
import { pathToFileURL } from "node:url";

const { static: folder, cases, limit } = JSON.parse(process.argv[2]);
const { compareDocuments } = await import(pathToFileURL(`${folder}/format.js`).href);
const describe = (it) => `${it.field}: ${it.before} → ${it.after}`;
console.log(JSON.stringify(cases.map(([before, after]) => compareDocuments(before, after, limit).map(describe))));
