// Command rollouts-grpc is a host that accepts go-plugin's gRPC protocol and no other: HashiCorp's own client starts the
// plugin, asks it over gRPC by what reflection says of its services, and ends it. Argo Rollouts accepts net/rpc only
// (1.10.2), so there is no client of Argo's to use here.
//
// It prints "ok NAME REMARK" or "FAIL NAME WHY" for each step.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	goPlugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

const service = "phasegate.step.v1.StepPlugin"

// connection is what a gRPC plugin set dispenses: the connection itself.
type connection struct {
	goPlugin.NetRPCUnsupportedPlugin
}

func (connection) GRPCServer(*goPlugin.GRPCBroker, *grpc.Server) error {
	return errors.New("this is a host")
}

func (connection) GRPCClient(_ context.Context, _ *goPlugin.GRPCBroker, c *grpc.ClientConn) (interface{}, error) {
	return c, nil
}

func main() {
	plugin := flag.String("plugin", "", "the plugin binary")
	question := flag.String("question", "{}", "the RunRequest, in JSON")
	expected := flag.String("expect", "", "what the answer must contain")
	flag.Parse()
	failed := false
	say := func(name, remark string, err error) bool {
		if err != nil {
			failed = true
			fmt.Println("FAIL", name, err)
			return false
		}
		fmt.Println("ok", name, remark)
		return true
	}
	command := exec.Command(*plugin, flag.Args()...)
	client := goPlugin.NewClient(&goPlugin.ClientConfig{
		HandshakeConfig: goPlugin.HandshakeConfig{
			ProtocolVersion: 1, MagicCookieKey: "ARGO_ROLLOUTS_RPC_PLUGIN", MagicCookieValue: "step"},
		Plugins:          map[string]goPlugin.Plugin{"RpcStepPlugin": connection{}},
		Cmd:              command,
		AllowedProtocols: []goPlugin.Protocol{goPlugin.ProtocolGRPC},
		Logger:           hclog.New(&hclog.LoggerOptions{Output: os.Stderr, Level: hclog.Debug}),
	})
	defer client.Kill()
	play(client, *question, *expected, say)
	start := time.Now()
	client.Kill()
	took := time.Since(start)
	var err error
	// go-plugin kills what has not left after two seconds.
	if took > 1900*time.Millisecond {
		err = fmt.Errorf("it did not leave by itself: %s", took)
	}
	say("quit", took.Round(time.Millisecond).String(), err)
	if failed {
		client.Kill()
		os.Exit(1)
	}
}

func play(client *goPlugin.Client, question, expected string, say func(string, string, error) bool) {
	raw, err := client.Client()
	if !say("start", string(client.Protocol()), err) {
		return
	}
	if !say("ping", "", raw.Ping()) {
		return
	}
	dispensed, err := raw.Dispense("RpcStepPlugin")
	if !say("dispense", "", err) {
		return
	}
	conn := dispensed.(*grpc.ClientConn)
	described, err := describe(conn)
	if !say("reflection", service, err) {
		return
	}
	answer, err := ask(conn, described.Methods().ByName("Run"), question)
	if err == nil && !strings.Contains(answer, expected) {
		err = fmt.Errorf("%q is not in %s", expected, answer)
	}
	say("run", answer, err)
	for _, method := range []string{"Terminate", "Abort"} {
		answer, err := ask(conn, described.Methods().ByName(protoreflect.Name(method)), question)
		say(strings.ToLower(method), answer, err)
	}
	// And once more, at the same time, 200 of them.
	problems := make(chan error, 200)
	for range cap(problems) {
		go func() {
			_, err := ask(conn, described.Methods().ByName("Run"), question)
			problems <- err
		}()
	}
	for range cap(problems) {
		err = errors.Join(err, <-problems)
	}
	say("concurrent", "", err)
	say("ping-again", "", raw.Ping())
}

// describe asks the plugin what it serves.
func describe(conn *grpc.ClientConn) (protoreflect.ServiceDescriptor, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	stream, err := grpc_reflection_v1.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		return nil, err
	}
	if err = stream.Send(&grpc_reflection_v1.ServerReflectionRequest{
		MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: service},
	}); err != nil {
		return nil, err
	}
	answer, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	set := &descriptorpb.FileDescriptorSet{}
	for _, text := range answer.GetFileDescriptorResponse().GetFileDescriptorProto() {
		file := &descriptorpb.FileDescriptorProto{}
		if err = proto.Unmarshal(text, file); err != nil {
			return nil, err
		}
		set.File = append(set.File, file)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		return nil, err
	}
	found, err := files.FindDescriptorByName(service)
	if err != nil {
		return nil, err
	}
	return found.(protoreflect.ServiceDescriptor), stream.CloseSend()
}

// ask calls a method with the fields of the question that its request has.
func ask(conn *grpc.ClientConn, method protoreflect.MethodDescriptor, question string) (string, error) {
	in, out := dynamicpb.NewMessage(method.Input()), dynamicpb.NewMessage(method.Output())
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(question), in); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := conn.Invoke(ctx, fmt.Sprintf("/%s/%s", service, method.Name()), in, out); err != nil {
		return "", err
	}
	text, err := protojson.Marshal(out)
	return string(text), err
}
