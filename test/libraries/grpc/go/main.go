// The server of the gRPC tests (test/libraries/grpc/echo.proto), with client certificates.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

type text = wrapperspb.StringValue

var cancelled atomic.Int64

func say(ctx context.Context, in *text) (*text, error) {
	switch in.Value {
	case "who":
		from, _ := peer.FromContext(ctx)
		chain := from.AuthInfo.(credentials.TLSInfo).State.PeerCertificates
		return wrapperspb.String(chain[0].Subject.CommonName), nil
	case "fail":
		return nil, failure()
	case "cancelled":
		return wrapperspb.String(strconv.FormatInt(cancelled.Load(), 10)), nil
	}
	grpc.SetHeader(ctx, metadata.Pairs("x-head", "first"))
	grpc.SetTrailer(ctx, metadata.Pairs("x-trailer", "last"))
	return in, nil
}

func failure() error {
	failed, err := status.New(codes.FailedPrecondition, "not now: %ü").WithDetails(wrapperspb.String("why"))
	if err != nil {
		return err
	}
	return failed.Err()
}

func count(stream grpc.ServerStream) error {
	var most wrapperspb.Int32Value
	if err := stream.RecvMsg(&most); err != nil {
		return err
	}
	for at := range most.Value {
		if err := stream.SendMsg(wrapperspb.String(strconv.Itoa(int(at)))); err != nil {
			return err
		}
	}
	return nil
}

func join(stream grpc.ServerStream) error {
	var all []string
	for {
		var in text
		err := stream.RecvMsg(&in)
		if errors.Is(err, io.EOF) {
			return stream.SendMsg(wrapperspb.String(strings.Join(all, " ")))
		}
		if err != nil {
			return err
		}
		all = append(all, in.Value)
	}
}

func chat(stream grpc.ServerStream) error {
	for {
		var in text
		err := stream.RecvMsg(&in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			cancelled.Add(1)
			return err
		}
		if in.Value == "fail" {
			return failure()
		}
		if err := stream.SendMsg(&in); err != nil {
			return err
		}
	}
}

func wait(stream grpc.ServerStream) error {
	<-stream.Context().Done()
	cancelled.Add(1)
	return stream.Context().Err()
}

func unary(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	var in text
	if err := decode(&in); err != nil {
		return nil, err
	}
	return say(ctx, &in)
}

func streams(name string, handler func(grpc.ServerStream) error) grpc.StreamDesc {
	return grpc.StreamDesc{
		StreamName:    name,
		ServerStreams: true,
		ClientStreams: true,
		Handler:       func(_ any, stream grpc.ServerStream) error { return handler(stream) },
	}
}

// Arguments: the address to listen on, and the files of the certificate, its key, and the clients' authority.
func main() {
	address, cert, key, authority := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	certificate, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		log.Fatal(err)
	}
	pem, err := os.ReadFile(authority)
	if err != nil {
		log.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(pem)
	listener, err := net.Listen("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{certificate},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    clients,
	})))
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "test.Echo",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Say", Handler: unary}},
		Streams: []grpc.StreamDesc{
			streams("Count", count),
			streams("Join", join),
			streams("Chat", chat),
			streams("Wait", wait),
		},
	}, nil)
	log.Fatal(server.Serve(listener))
}
