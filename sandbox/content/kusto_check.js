// Microsoft's own KQL parser over every query of standard input, one process for all of them.
//
// In:  {"modules": "node_modules", "schemas": [{"tables": {name: "(column: type, ...)"}, "functions": {name: body},
//       "queries": [text]}]}
// Out: [[{"errors": ["..."], "columns": {name: type} or null}]], in the order of the schemas and their queries
"use strict";
const fs = require("fs");
const input = JSON.parse(fs.readFileSync(0, "utf8"));
for (const file of ["bridge.min.js", "Kusto.Language.Bridge.min.js"]) {
  require(`${input.modules}/@kusto/language-service-next/${file}`);
}
const { KustoCode, GlobalState, Symbols } = Kusto.Language;

const list = (items) => Array.from({ length: items.Count ?? items.length }, (_, n) => (items.getItem ? items.getItem(n) : items[n]));

function globals({ tables, functions }) {
  const members = [
    ...Object.entries(tables).map(([name, schema]) => new Symbols.TableSymbol.$ctor7(name, schema, null)),
    ...Object.entries(functions).map(([name, body]) => new Symbols.FunctionSymbol.$ctor16(name, "()", `{ ${body}\n}`, null)),
  ];
  return GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.$ctor1("workspace", members));
}

function check(text, state) {
  const code = KustoCode.ParseAndAnalyze(text, state);
  const errors = list(code.GetDiagnostics())
    .filter((found) => found.Severity === "Error")
    .map((found) => `${found.Message} near '${text.substr(found.Start, Math.max(found.Length, 20))}'`);
  const result = code.ResultType;
  const columns = result && result.Columns
    ? Object.fromEntries(list(result.Columns).map((column) => [column.Name, column.Type.Name]))
    : null;
  return { errors, columns };
}

const answers = input.schemas.map((schema) => {
  const state = globals(schema);
  return schema.queries.map((text) => check(text, state));
});
process.stdout.write(JSON.stringify(answers));
