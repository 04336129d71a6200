"""The web server: GraphQL, health, and a page to try queries on."""
