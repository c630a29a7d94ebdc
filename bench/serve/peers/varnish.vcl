# Varnish for the bench: everything below /s/ is cached for a year. Names between @ signs are filled in by the bench.
vcl 4.1;

backend origin {
    .host = "127.0.0.1";
    .port = "@BACKEND_PORT@";
}

sub vcl_backend_response {
    set beresp.ttl = 1y;
    set beresp.grace = 0s;
    unset beresp.http.Set-Cookie;
}
