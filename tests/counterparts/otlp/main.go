// otlp-collector is the OpenTelemetry Collector's own OTLP receiver, with its own configuration, and nothing behind it:
// each export it took goes to stdout as one line of OTLP JSON, written by the Collector's own marshaler. It says
// "listening" on stdout first, and ends when its stdin does.
//
//	otlp-collector '{"protocols": {"http": {"endpoint": "127.0.0.1:4318"}}}'
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
)

func main() {
	if len(os.Args) != 2 {
		fail(fmt.Errorf("usage: otlp-collector CONFIG, the receiver's own configuration as JSON"))
	}
	if err := receive(context.Background(), os.Args[1]); err != nil {
		fail(err)
	}
}

func receive(ctx context.Context, text string) error {
	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig()
	var given map[string]any
	if err := json.Unmarshal([]byte(text), &given); err != nil {
		return err
	}
	if err := confmap.NewFromStringMap(given).Unmarshal(config); err != nil {
		return err
	}
	printing, err := consumer.NewTraces(printer())
	if err != nil {
		return err
	}
	settings := receiver.Settings{
		ID:                component.NewID(factory.Type()),
		TelemetrySettings: componenttest.NewNopTelemetrySettings(),
		BuildInfo:         component.NewDefaultBuildInfo(),
	}
	traces, err := factory.CreateTraces(ctx, settings, config, printing)
	if err != nil {
		return err
	}
	if err = traces.Start(ctx, componenttest.NewNopHost()); err != nil {
		return err
	}
	fmt.Println("listening")
	if _, err = io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return traces.Shutdown(ctx)
}

// printer writes one line for each export, whole.
func printer() consumer.ConsumeTracesFunc {
	var line sync.Mutex
	return func(_ context.Context, traces ptrace.Traces) error {
		text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(traces)
		if err != nil {
			return err
		}
		line.Lock()
		defer line.Unlock()
		_, err = fmt.Printf("%s\n", text)
		return err
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "otlp-collector:", err)
	os.Exit(1)
}
