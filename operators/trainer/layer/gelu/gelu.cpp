// GELU as one node of libtorch's tape, for rows in memory on the CPU.
//
// libtorch takes an error function going forward, and it and an exponential going back. Here both are of one
// exponential, going forward: the derivative is written over the input, which nothing needs any more, and going back is a
// product.
//
//   y  = x * P(x)             P(x) = (1 + erf(x / sqrt(2))) / 2
//   y' = P(x) + x * p(x)      p(x) = exp(-x^2 / 2) / sqrt(2 pi)
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <exception>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

// The same function for newer vector units, chosen when the program starts.
#if defined(__x86_64__) && defined(__GNUC__) && defined(__linux__)
#define VECTORISED __attribute__((target_clones("avx512f", "arch=haswell", "default")))
#else
#define VECTORISED
#endif
#define INLINED inline __attribute__((always_inline))

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

// Several numbers at once, in the syntax of GCC and Clang.
constexpr int64_t LANES = 16;
typedef float Floats __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t Wholes __attribute__((vector_size(LANES * sizeof(int32_t))));

// What a thread takes at least.
constexpr int64_t GRAIN = 1 << 15;

// e to a number from -87 to 0, to two units of the last place: a power of 2, and a polynomial of what is left
// (Cephes, expf).
INLINED Floats exponential(Floats value) {
  // 1.5 * 2^23: in a sum with it, the last bit of a number is a whole.
  const float magic = 12582912.0f;
  const Floats sum = value * 1.44269504f + magic;
  const Floats whole = sum - magic;
  const Floats rest = value - whole * 0.693359375f + whole * 2.12194440e-4f;
  Floats power = rest * 1.9875691500e-4f + 1.3981999507e-3f;
  power = power * rest + 8.3334519073e-3f;
  power = power * rest + 4.1665795894e-2f;
  power = power * rest + 1.6666665459e-1f;
  power = power * rest + 5.0000001201e-1f;
  power = power * rest * rest + rest + 1.0f;
  Wholes bits;
  std::memcpy(&bits, &sum, sizeof bits);
  bits = (bits - 0x4b400000 + 127) << 23;
  Floats two;
  std::memcpy(&two, &bits, sizeof two);
  return power * two;
}

struct Both {
  Floats value, derivative;
};

// A NaN gives NaN.
INLINED Both gelu_of(Floats x) {
  const Floats zero = {};
  const Floats size = x < zero ? -x : x;
  Floats exponent = x * x * -0.5f;
  const Floats lowest = zero - 87.0f;
  exponent = exponent < lowest ? lowest : exponent;
  const Floats bell = exponential(exponent);
  // The error function to 1.5e-7: Abramowitz and Stegun (1964), 7.1.26.
  const Floats t = 1.0f / (size * (0.3275911f * 0.70710678f) + 1.0f);
  Floats tail = t * 1.061405429f - 1.453152027f;
  tail = tail * t + 1.421413741f;
  tail = tail * t - 0.284496736f;
  tail = tail * t + 0.254829592f;
  tail = tail * t * bell * 0.5f;
  const Floats below = x < zero ? tail : 1.0f - tail;
  return {x * below, below + x * bell * 0.39894228f};
}

// Writes the values to `y`, and the derivatives over `x`.
VECTORISED void forward_of(float* x, int64_t count, float* y) {
  int64_t at = 0;
  for (; at + LANES <= count; at += LANES) {
    Floats values;
    std::memcpy(&values, x + at, sizeof values);
    const Both both = gelu_of(values);
    std::memcpy(y + at, &both.value, sizeof values);
    std::memcpy(x + at, &both.derivative, sizeof values);
  }
  if (at < count) {
    const size_t bytes = (count - at) * sizeof(float);
    Floats values = {};
    std::memcpy(&values, x + at, bytes);
    const Both both = gelu_of(values);
    std::memcpy(y + at, &both.value, bytes);
    std::memcpy(x + at, &both.derivative, bytes);
  }
}

class Gelu : public torch::autograd::Function<Gelu> {
 public:
  static Variable forward(AutogradContext* context, const Variable& input) {
    const auto x = input.contiguous();
    auto y = at::empty_like(x);
    float* from = x.mutable_data_ptr<float>();
    float* to = y.mutable_data_ptr<float>();
    at::parallel_for(0, x.numel(), GRAIN, [&](int64_t begin, int64_t end) {
      forward_of(from + begin, end - begin, to + begin);
    });
    context->save_for_backward({x.detach()});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list outputs) {
    return {outputs[0] * context->get_saved_variables()[0]};
  }
};

}  // namespace

// Gives a new tensor to `output`, or a message that the caller frees. The memory of `input` has another use behind it.
extern "C" char* etude_gelu(at::Tensor** output, const at::Tensor* input) {
  try {
    *output = new at::Tensor(Gelu::apply(*input));
    return nullptr;
  } catch (const std::exception& error) {
    return strdup(error.what());
  }
}
