//! The contract, asked over the wire.

use std::collections::BTreeSet;

use prost::Message as _;
use prost_types::FileDescriptorProto;
use tonic::Code;
use tonic::transport::Endpoint;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use super::support::{Running, refused, start};

async fn ask(server: &Running, what: MessageRequest) -> MessageResponse {
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(what) };
    let mut client = ServerReflectionClient::new(server.wire("reader-a"));
    let stream = client.server_reflection_info(tokio_stream::once(request)).await.expect("a stream");
    let ServerReflectionResponse { message_response, .. } =
        stream.into_inner().message().await.expect("no fault").expect("an answer");
    message_response.expect("an answer")
}

#[tokio::test]
async fn reflection_lists_and_describes_every_service() {
    let server = start().await;
    let MessageResponse::ListServicesResponse(list) =
        ask(&server, MessageRequest::ListServices(String::new())).await
    else {
        panic!("no list")
    };
    let found: BTreeSet<String> = list.service.into_iter().map(|service| service.name).collect();
    let wanted = [
        "externalscaler.ExternalScaler",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "ventral.v1.Artifacts",
        "ventral.v1.Catalog",
        "ventral.v1.Evaluations",
        "ventral.v1.Fleet",
        "ventral.v1.Scores",
    ];
    assert_eq!(found, wanted.map(str::to_owned).into());
    let symbol = MessageRequest::FileContainingSymbol("ventral.v1.Evaluations".into());
    let MessageResponse::FileDescriptorResponse(files) = ask(&server, symbol).await else {
        panic!("no file")
    };
    let file = FileDescriptorProto::decode(files.file_descriptor_proto[0].as_slice()).expect("a descriptor");
    assert!(file.service[0].method.iter().any(|method| method.name() == "Watch"));
    let request = ServerReflectionRequest::default();
    let mut nobody =
        ServerReflectionClient::new(Endpoint::from_shared(server.url()).expect("a URL").connect_lazy());
    let answer = nobody.server_reflection_info(tokio_stream::once(request)).await;
    refused(answer, Code::Unauthenticated, "NO_TOKEN");
    server.stop().await;
}
