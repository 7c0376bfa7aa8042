"""What every way in over HTTP shares: problem answers, access, body limit, security headers, the OpenAPI document."""
