#!/usr/bin/env python3
"""usage: cri.py SOCKET SERVICE.METHOD <REQUEST

One call of the Container Runtime Interface, as the kubelet makes it: the request and the response are JSON with the
fields of k8s.io/cri-api's api.proto. A call that fails ends with status 1 and `CODE: text` on standard error.
"""
import json
import sys

import grpc
from google.protobuf import descriptor_pb2, json_format, message_factory

# Where root.sh puts the compiled api.proto.
DESCRIPTION = "/usr/share/cri-api.pb"
TIMEOUT = 60  # seconds


def main():
    socket, name = sys.argv[1:]
    with open(DESCRIPTION, "rb") as file:
        files = descriptor_pb2.FileDescriptorSet.FromString(file.read()).file
    classes = message_factory.GetMessages(files)
    methods = {
        f"{service.name}.{method.name}": (f"/{file.package}.{service.name}/{method.name}", method)
        for file in files
        for service in file.service
        for method in service.method
    }
    path, method = methods[name]
    request = json_format.ParseDict(json.load(sys.stdin), classes[method.input_type[1:]]())
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        call = channel.unary_unary(
            path,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=classes[method.output_type[1:]].FromString,
        )
        try:
            response = call(request, timeout=TIMEOUT)
        except grpc.RpcError as error:
            sys.exit(f"{error.code().name}: {error.details()}")
    json.dump(json_format.MessageToDict(response, preserving_proto_field_name=True), sys.stdout)


main()
