package windows

import (
	"fmt"

	"github.com/cepheus-cep/cepheus/event"
)

// ResultType gives the static type of an aggregate's result over arguments of type
// arg; Kind Nil stands for no argument. The error says what the function takes
// instead. Results are optional but for count, sum and distinct, which are 0 over
// nothing; a sum is nil only where it does not fit its type.
func ResultType(f Func, arg event.Type) (event.Type, error) {
	if err := takes(f, arg.Kind); err != nil {
		return event.Type{}, err
	}
	elem := arg
	elem.Optional = false
	optional := elem
	optional.Optional = true
	switch f {
	case Count, Distinct:
		return event.Type{Kind: event.Int}, nil
	case Sum:
		return elem, nil
	case Min, Max, First, LastOf:
		return optional, nil
	case Values, Top, Collect:
		return event.Type{Kind: event.List, Elem: &elem, Optional: true}, nil
	}
	return event.Type{Kind: resultKind(f, arg.Kind), Optional: f != Rate}, nil
}

// resultKind is the kind of a result that is not simply the argument's or an Int.
func resultKind(f Func, arg event.Kind) event.Kind {
	keeps := arg == event.Duration && (f == Avg || f == Stddev) ||
		(arg == event.Duration || arg == event.Time) && (f == Median || f == Percentile)
	if keeps {
		return arg
	}
	return event.Float
}

// takes says whether a function can be computed over arguments of a kind.
func takes(f Func, arg event.Kind) error {
	var ok bool
	var wants string
	switch f {
	case Count:
		return nil
	case Rate:
		ok, wants = arg == event.Nil, "no argument"
	case Sum, Avg, Stddev, ZScore:
		ok, wants = isNumber(arg) || arg == event.Duration, "a number or a duration"
	case Variance, Slope:
		ok, wants = isNumber(arg), "a number"
	case Median, Percentile:
		ok, wants = isNumber(arg) || arg == event.Duration || arg == event.Time, "a number, a duration or a time"
	case Min, Max:
		ok, wants = arg.Scalar() && arg != event.Bool && arg != event.IP, "numbers, durations, times or strings"
	case First, LastOf, Distinct, Values, Top, Collect:
		ok, wants = arg != event.Nil, "an argument"
	}
	if ok {
		return nil
	}
	return fmt.Errorf("%s takes %s, not %s", f, wants, arg)
}

func isNumber(k event.Kind) bool { return k == event.Int || k == event.Float }
