package predicate

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

func sorted(names []string) []string {
	slices.Sort(names)
	return names
}

// nativeProgram is one function of expr with a fixed number of arguments, compiled
// once. Its VMs come from a pool: a VM is used by one goroutine at a time.
type nativeProgram struct {
	program *vm.Program
	vms     sync.Pool
	names   []string
}

// native makes the call of a function that only expr's VM has. A nil argument makes
// the result nil.
func native(name string, t event.Type, args []*plan.Expr) *plan.Expr {
	p, err := newNative(name, len(args))
	if err != nil {
		panic(fmt.Sprintf("predicate: expr does not compile its own function %s: %v", name, err))
	}
	return &plan.Expr{Op: plan.OpNative, Type: t, Args: args, Text: name, Native: p.run(t.Kind)}
}

func newNative(name string, args int) (*nativeProgram, error) {
	p := &nativeProgram{}
	env := map[string]any{}
	for i := range args {
		p.names = append(p.names, fmt.Sprintf("a%d", i))
		env[p.names[i]] = nil
	}
	// The function's own result type is Any, as env's values are: nothing is checked
	// but the call itself.
	program, err := expr.Compile(name+"("+strings.Join(p.names, ",")+")", expr.AllowUndefinedVariables())
	p.program = program
	p.vms.New = func() any { return new(vm.VM) }
	return p, err
}

// run returns the function over values; a result of another kind than declared is an
// error.
func (p *nativeProgram) run(k event.Kind) func([]event.Value) (event.Value, error) {
	return func(args []event.Value) (event.Value, error) {
		env := make(map[string]any, len(args))
		for i, v := range args {
			if v.IsNil() {
				return event.Value{}, nil
			}
			env[p.names[i]] = toGo(v)
		}
		m := p.vms.Get().(*vm.VM)
		out, err := m.Run(p.program, env)
		p.vms.Put(m)
		if err != nil {
			message, _, _ := strings.Cut(err.Error(), "\n")
			return event.Value{}, fmt.Errorf("call %s: %s", p.program.Source().String(), message)
		}
		v := fromGo(out)
		if k != event.Any && !v.IsNil() && v.Kind != k {
			return event.Value{}, fmt.Errorf("call %s: a %s where a %s is needed", p.program.Source().String(), v.Kind, k)
		}
		return v, nil
	}
}

// toGo makes the Go value that expr computes with.
func toGo(v event.Value) any {
	switch v.Kind {
	case event.Bool:
		return v.Bool()
	case event.Int:
		return int(v.Int())
	case event.Float:
		return v.Float()
	case event.String, event.IP:
		return v.S
	case event.Time:
		return time.Unix(0, v.Int()).UTC()
	case event.Duration:
		return time.Duration(v.Int())
	case event.List:
		out := make([]any, len(v.Elems()))
		for i, e := range v.Elems() {
			out[i] = toGo(e)
		}
		return out
	case event.Record:
		out := make(map[string]any, len(v.Elems()))
		for i, e := range v.Elems() {
			out[v.C.Names[i]] = toGo(e)
		}
		return out
	}
	return nil
}

// fromGo makes a value of what expr computed; a map's fields are in order of name.
func fromGo(x any) event.Value {
	switch x := x.(type) {
	case bool:
		return event.OfBool(x)
	case int:
		return event.OfInt(int64(x))
	case float64:
		return event.OfFloat(x)
	case string:
		return event.OfString(strings.Clone(x))
	case time.Time:
		return event.OfKind(event.Time, x.UnixNano())
	case time.Duration:
		return event.OfKind(event.Duration, int64(x))
	case []string:
		return listFrom(x)
	case []any:
		return listFrom(x)
	case map[string]any:
		return recordFrom(x)
	}
	return event.Value{}
}

func listFrom[T any](xs []T) event.Value {
	c := &event.Compound{Elems: make([]event.Value, len(xs))}
	for i, x := range xs {
		c.Elems[i] = fromGo(x)
	}
	return event.Value{Kind: event.List, C: c}
}

func recordFrom(m map[string]any) event.Value {
	c := &event.Compound{}
	for name := range m {
		c.Names = append(c.Names, name)
	}
	slices.Sort(c.Names)
	for _, name := range c.Names {
		c.Elems = append(c.Elems, fromGo(m[name]))
	}
	return event.Value{Kind: event.Record, C: c}
}
