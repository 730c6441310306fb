"""The description of Tollgate's own surface, `GET /openapi.json`, made from the tables by which Tollgate works.

Read in this order:

1. `parts`           the pieces of a description: schemas, parameters, answers
2. `routes`          one operation as a value, and how it is written;  `refusals`: its errors, from the table of codes
3. `pool_schemas`    the bodies and answers of the session API, in its dialects;  `pool_parameters`: the rest of a call
   `pool_routes`     the operations, from the gateway's own table
4. `console_schemas` the answers of the operator API and of usage (`console_names`);  `body_schemas`: its bodies;
   `console_routes`: their operations
5. `edge_routes`     what else there is: health, the identity endpoint, MCP, and this document
6. `document`        puts it together and serves it
"""
