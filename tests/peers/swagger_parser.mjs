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

await check("swagger-parser: an operation without responses would be found", async () => {
  const api = await fetched();
  delete api.paths["/oauth/token"].post.responses;
  await assert.rejects(SwaggerParser.validate(api));
});

end();
