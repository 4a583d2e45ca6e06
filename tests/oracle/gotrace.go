// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"internal/profile"
	"os/exec"
	"slices"
	"strings"
)

// tool is the gotrace that is checked, on one file.
type tool struct {
	gotrace, file string
	silent        bool // the last run ended with 0 and without a word on stderr
	refused       bool // the last run gave no output, but a sentence on stderr and a status other than 0
	died          bool // by a signal, in any run
}

// report asks gotrace for what want has.
func (t *tool) report(kinds []string, want *report) (*report, error) {
	got := &report{noMMU: want.noMMU}
	for _, p := range want.profiles {
		rows, err := t.profile(p)
		if err != nil {
			return nil, err
		}
		got.profiles = append(got.profiles, rows)
	}
	if slices.Contains(kinds, "goroutines") {
		var all report
		if err := t.json(&all, "--goroutine", "all", "--json"); err != nil {
			return nil, err
		}
		got.Goroutines = all.Goroutines
	}
	var whole report
	if err := t.json(&whole, "--json", "-n", "0"); err != nil {
		return nil, err
	}
	whole.Goroutines, whole.profiles, whole.noMMU = got.Goroutines, got.profiles, got.noMMU
	return &whole, nil
}

func (t *tool) json(into *report, options ...string) error {
	out, err := t.run(options...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("report %s: %v", strings.Join(options, " "), err)
	}
	return nil
}

func (t *tool) profile(p profileRows) (profileRows, error) {
	p.stacks, p.units = nil, ""
	out, err := t.run(p.options()...)
	if err != nil {
		return p, err
	}
	parsed, err := profile.Parse(bytes.NewReader(out))
	if err != nil {
		return p, fmt.Errorf("report %s: %v", strings.Join(p.options(), " "), err)
	}
	var units []string
	for _, v := range parsed.SampleType {
		units = append(units, v.Type+"/"+v.Unit)
	}
	p.units = strings.Join(units, " ")
	for _, s := range parsed.Sample {
		if len(s.Value) != 2 {
			return p, fmt.Errorf("report %s: a sample of %d values", strings.Join(p.options(), " "), len(s.Value))
		}
		p.stacks = append(p.stacks, stackRow{framesOf(s), s.Value[0], s.Value[1]})
	}
	return p, nil
}

func framesOf(s *profile.Sample) (frames []string) {
	for _, l := range s.Location {
		for _, line := range l.Line {
			f := profile.Function{}
			if line.Function != nil {
				f = *line.Function
			}
			frames = append(frames, fmt.Sprintf("%s|%s|%d", f.Name, f.Filename, line.Line))
		}
	}
	return frames
}

// run returns stdout. A status other than 0 is an error only without any output: a damaged trace may give both.
func (t *tool) run(options ...string) ([]byte, error) {
	cmd := exec.Command(t.gotrace, append(append([]string{"report"}, options...), t.file)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	t.silent = err == nil && stderr.Len() == 0
	t.refused = err != nil && stderr.Len() > 0 && len(out) == 0
	if exit := new(exec.ExitError); errors.As(err, &exit) && exit.ExitCode() < 0 {
		t.died = true
		return nil, fmt.Errorf("report %s: %v: %s", strings.Join(options, " "), err, firstLine(stderr.String()))
	}
	if err != nil && len(out) == 0 {
		return nil, fmt.Errorf("report %s: %v: %s", strings.Join(options, " "), err, firstLine(stderr.String()))
	}
	return out, nil
}
