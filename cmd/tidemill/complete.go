package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/config"
)

// completer gives the words that can stand at a place of the command line.
type completer = func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective)

// complete lets shells complete what every command takes: flow files, rows and pictures, the tasks of a flow file,
// kinds.
func (a *app) complete(root *cobra.Command) {
	flow := []string{".yaml", ".yml"}
	rows := []string{".csv", ".tsv", ".jsonl", ".gz"}
	var places []string
	for _, words := range systemsOf(a.kinds).Words(false) {
		places = append(places, words.Ends...)
	}
	takes := map[string][][]string{ // the endings of each argument
		"check": {flow}, "run": {flow}, "state": {flow}, "report": {flow}, "evaluate": {flow}, "drop": {flow},
		"predict": {flow, {".json", ".png", ".jpg", ".jpeg"}}, "init": {places}, "schema": {{".json"}},
	}
	fixed := func(words ...string) completer {
		return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return words, cobra.ShellCompDirectiveNoFileComp
		}
	}
	flags := map[string]completer{
		"task": a.completeTask, "color": fixed("auto", "always", "never"), "log": fixed("text", "json"),
		"listen": fixed("localhost:8080", "localhost:0"), "url": fixed("http://localhost:8080"),
		"data": filesOf(rows...), "output": filesOf(".html"), "token": fixed(), "table": fixed(), "label": fixed(),
	}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if endings, ok := takes[c.Name()]; ok && c.ValidArgsFunction == nil {
			c.ValidArgsFunction = func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
				if len(args) >= len(endings) {
					return nil, cobra.ShellCompDirectiveNoFileComp
				}
				return filesOf(endings[len(args)]...)(c, args, typed)
			}
		}
		for name, f := range flags {
			if c.Flags().Lookup(name) != nil || c == root && c.PersistentFlags().Lookup(name) != nil {
				_ = c.RegisterFlagCompletionFunc(name, f) // it is there, once
			}
		}
		for _, x := range c.Commands() {
			walk(x)
		}
	}
	walk(root)
}

// filesOf completes files with such endings, and the folders on the way to them. Shells have their own way for this,
// which needs packages that are not always there.
func filesOf(endings ...string) completer {
	return func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		dir, start := filepath.Split(typed)
		list, err := os.ReadDir(filepath.Clean("./" + dir))
		if filepath.IsAbs(dir) {
			list, err = os.ReadDir(dir)
		}
		if err != nil {
			return nil, cobra.ShellCompDirectiveDefault
		}
		var words []string
		how := cobra.ShellCompDirectiveNoFileComp
		for _, e := range list {
			name := e.Name()
			if !strings.HasPrefix(name, start) || start == "" && strings.HasPrefix(name, ".") {
				continue
			}
			if e.IsDir() {
				words, how = append(words, dir+name+"/"), how|cobra.ShellCompDirectiveNoSpace
				continue
			}
			for _, end := range endings {
				if strings.HasSuffix(name, end) {
					words = append(words, dir+name)
					break
				}
			}
		}
		return words, how
	}
}

// completeTask names the tasks of the flow file on the command line.
func (a *app) completeTask(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	path := defaultFlow
	if len(args) > 0 {
		path = args[0]
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	// Variables that are not set here do not keep the tasks from being known: they may be the place of any system.
	var f *config.File
	for _, words := range append(systemsOf(a.kinds).Words(true), tidemill.Words{}) {
		f, _ = config.Parse(path, data, a.kinds, func(name string) (string, bool) {
			if v, ok := a.env(name); ok {
				return v, true
			}
			return words.Example, true
		})
		if f != nil {
			break
		}
	}
	if f == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for i := range f.Flow.Tasks {
		names = append(names, f.Flow.Tasks[i].Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeKind names the kinds, each with its sentence: short where the name is the only one of its kind.
func (a *app) completeKind(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	times := map[string]int{}
	pages := config.Reference(a.kinds)
	for _, p := range pages {
		_, short, _ := strings.Cut(p.Kind, ".")
		times[short]++
	}
	var words []string
	for _, p := range pages {
		name := p.Kind
		if name == "index" {
			continue // the list of all
		}
		if _, short, ok := strings.Cut(p.Kind, "."); ok && times[short] == 1 {
			name = short
		}
		if doc := a.kinds.Docs[p.Kind]; doc != "" {
			name += "\t" + doc
		}
		words = append(words, name)
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}
