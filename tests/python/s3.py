"""An S3 server for a test: moto, on a free port, as long as standard input is open.

usage: s3.py BUCKET

The first line on standard output is the server's address. Then each line `KEY<tab>PATH` on standard
input puts a file into the bucket (an empty PATH deletes the object, or with a KEY that ends in / all
objects below) and is answered with the number of requests for objects (GET) that the server had before it.
"""
import logging
import os
import sys

try:
    import boto3
    from moto.server import ThreadedMotoServer
except ImportError as error:
    print(f"skip: {error}")
    sys.exit(0)

requests = 0


class Count(logging.Handler):
    """Reads the server's log: `"GET /bucket/key HTTP/1.1" 206 -`."""

    def emit(self, record):
        global requests
        line = record.getMessage()
        requests += f'GET /{bucket}/' in line and "list-type" not in line


bucket, = sys.argv[1:]
log = logging.getLogger("werkzeug")
log.setLevel(logging.INFO)
log.addHandler(Count())
log.propagate = False
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
endpoint = f"http://{host}:{port}"
os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
client.create_bucket(Bucket=bucket)
print(endpoint, flush=True)
for line in sys.stdin:
    key, path = line.rstrip("\n").split("\t")
    before = requests
    if path:
        # What asks as it would ask Google does not sign.
        client.upload_file(path, bucket, key, ExtraArgs={"ACL": "public-read"})
    else:
        found = [key]
        if key.endswith("/"):
            found = [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents", [])]
        for name in found:
            client.delete_object(Bucket=bucket, Key=name)
    print(before, flush=True)
server.stop()
