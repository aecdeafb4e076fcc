// SPDX-License-Identifier: BSD-2-Clause
// npm @apidevtools/swagger-parser reads the issuer's OpenAPI document as a client generator does: schema, references, parameters.
import SwaggerParser from "@apidevtools/swagger-parser";
import { assert, check, end, readOrders } from "./line.mjs";

const o = await readOrders();
const fetched = async () => (await fetch(`${o.issuer}/openapi.json`)).json();

await check("swagger-parser: the OpenAPI document is valid, and every reference in it leads somewhere", async () => {
  const api = await SwaggerParser.validate(await fetched());
  assert.match(api.openapi, /^3\./);
  assert.ok(api.paths["/oauth/token"].post, "the token endpoint is described");
});

await check("swagger-parser: a reference that leads nowhere would be found", async () => {
  const api = await fetched();
  api.paths["/oauth/token"].post.responses["200"] = { $ref: "#/components/responses/Nowhere" };
  await assert.rejects(SwaggerParser.validate(api));
});

// (In OpenAPI 3.1 an operation may be without responses.)
await check("swagger-parser: responses of another form would be found", async () => {
  const api = await fetched();
  api.paths["/oauth/token"].post.responses = "whatever";
  await assert.rejects(SwaggerParser.validate(api));
});

end();
