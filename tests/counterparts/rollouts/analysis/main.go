// Command analysis-driver takes one measurement as Argo Rollouts' analysis controller does: the arguments of an
// AnalysisTemplate resolved, Argo's own web metric asked, its answer judged by the template's conditions.
//
// It prints "measurement PHASE VALUE", or the message of an error instead of the value. The url is --url's; everything else is
// the template's, whose metrics Argo must find valid.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"

	log "github.com/sirupsen/logrus"
	"sigs.k8s.io/yaml"

	"github.com/argoproj/argo-rollouts/metricproviders/webmetric"
	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	analysisutil "github.com/argoproj/argo-rollouts/utils/analysis"
	templateutil "github.com/argoproj/argo-rollouts/utils/template"
)

type listFlag []string

func (l *listFlag) String() string     { return strings.Join(*l, " ") }
func (l *listFlag) Set(v string) error { *l = append(*l, v); return nil }

func main() {
	log.SetOutput(os.Stderr)
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

func run() error {
	file := flag.String("template", "", "the AnalysisTemplate, YAML")
	url := flag.String("url", "", "asked instead of the template's url")
	var given listFlag
	flag.Var(&given, "arg", "NAME=VALUE of an argument; repeatable")
	flag.Parse()
	text, err := os.ReadFile(*file)
	if err != nil {
		return err
	}
	var template v1alpha1.AnalysisTemplate
	if err = yaml.UnmarshalStrict(text, &template); err != nil {
		return err
	}
	if err = analysisutil.ValidateMetrics(template.Spec.Metrics); err != nil {
		return fmt.Errorf("InvalidSpec: %w", err)
	}
	args := template.Spec.Args
	for i := range args {
		for _, one := range given {
			if name, value, _ := strings.Cut(one, "="); name == args[i].Name {
				// A Secret's value is put in its place by the controller just so.
				args[i].Value, args[i].ValueFrom = &value, nil
			}
		}
	}
	metric, err := resolved(template.Spec.Metrics[0], args)
	if err != nil {
		return err
	}
	metric.Provider.Web.URL = *url
	client, err := webmetric.NewWebMetricHttpClient(*metric)
	if err != nil {
		return err
	}
	parser, err := webmetric.NewWebMetricJsonParser(*metric)
	if err != nil {
		return err
	}
	measurement := webmetric.NewWebMetricProvider(*log.NewEntry(log.StandardLogger()), client, parser).Run(&v1alpha1.AnalysisRun{}, *metric)
	said, _ := json.Marshal(measurement.Value + measurement.Message)
	fmt.Println("measurement", measurement.Phase, string(said))
	return nil
}

// resolved puts the arguments into a metric, as the analysis controller does before each measurement.
func resolved(metric v1alpha1.Metric, args []v1alpha1.Argument) (*v1alpha1.Metric, error) {
	text, err := json.Marshal(metric)
	if err != nil {
		return nil, err
	}
	filled, err := templateutil.ResolveArgs(string(text), args)
	if err != nil {
		return nil, err
	}
	var out v1alpha1.Metric
	return &out, json.Unmarshal([]byte(filled), &out)
}
