"""REST beside GraphQL, under `/v1`: each module contributes endpoints, which say in OpenAPI what they are."""
