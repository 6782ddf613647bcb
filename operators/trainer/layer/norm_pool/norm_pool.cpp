// Batch norm, the maximum of neighbours, and ReLU as one node of libtorch's tape, for rows in memory on the CPU.
//
// As three operations they go through memory again and again: the norm writes what the maximum reads once, and the maximum's
// gradient, zero but for one in three, is written out for the norm to sum up. Here the norm's output is never written. Of
// each window the highest input is kept, and the norm's two sums of gradients are made of those alone.
//
// What is computed for [batch, channels, frames], by channel, as torch.nn.BatchNorm1d in training does it:
//   hat = (x - mean) / sqrt(variance + epsilon), over batch and frames
//   y   = relu(max over windows of `pool` frames of weight * hat + bias); frames that fill no window are left out
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <exception>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

// The same function for newer vector units, chosen when the program starts.
#if defined(__x86_64__) && defined(__GNUC__) && defined(__linux__)
#define VECTORISED __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define VECTORISED
#endif

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

// Several numbers at once, in the syntax of GCC and Clang: left to themselves they make other code of sums in lanes.
constexpr int64_t LANES = 8;
typedef float Floats __attribute__((vector_size(LANES * sizeof(float))));
typedef double Doubles __attribute__((vector_size(LANES * sizeof(double))));

inline __attribute__((always_inline)) Doubles wide(const float* from) {
  Floats values;
  std::memcpy(&values, from, sizeof values);
  return __builtin_convertvector(values, Doubles);
}

// What is worked on twice, so that it stays near.
constexpr int64_t STRETCH = 2048;

struct Sums {
  double first = 0, second = 0;
};

// The sums of a and of a · b, in 64 bits.
VECTORISED Sums products(const float* a, const float* b, int64_t count) {
  // Two of each: one does not wait for the other.
  Doubles first[2] = {}, second[2] = {};
  int64_t at = 0;
  for (; at + 2 * LANES <= count; at += 2 * LANES) {
    for (int half = 0; half < 2; ++half) {
      const Doubles value = wide(a + at + half * LANES);
      first[half] += value;
      second[half] += value * wide(b + at + half * LANES);
    }
  }
  Sums sums;
  for (int64_t lane = 0; lane < LANES; ++lane) {
    sums.first += first[0][lane] + first[1][lane];
    sums.second += second[0][lane] + second[1][lane];
  }
  for (; at < count; ++at) {
    sums.first += a[at];
    sums.second += static_cast<double>(a[at]) * b[at];
  }
  return sums;
}

// The highest of each three of scale · (x - middle) + shift, and the x that gives it; then ReLU, which lets a NaN through.
VECTORISED void highest_of_three(const float* x, int64_t windows, float middle, float scale, float shift, float* y,
                                 float* kept) {
  for (int64_t at = 0; at < windows; ++at) {
    const float a = x[3 * at], b = x[3 * at + 1], c = x[3 * at + 2];
    const float va = scale * (a - middle) + shift, vb = scale * (b - middle) + shift,
                vc = scale * (c - middle) + shift;
    const float vab = vb > va ? vb : va, ab = vb > va ? b : a;
    const float v = vc > vab ? vc : vab;
    kept[at] = vc > vab ? c : ab;
    y[at] = v < 0 ? 0 : v;
  }
}

// ReLU of scale · (x - middle) + shift.
VECTORISED void rectified(const float* x, int64_t count, float middle, float scale, float shift, float* y) {
  for (int64_t at = 0; at < count; ++at) {
    const float v = scale * (x[at] - middle) + shift;
    y[at] = v < 0 ? 0 : v;
  }
}

// The gradients that ReLU lets through.
VECTORISED void let_through(const float* x, const float* gradient, int64_t count, float middle, float scale, float shift,
                            float* through) {
  for (int64_t at = 0; at < count; ++at) {
    const float came = gradient[at];
    through[at] = scale * (x[at] - middle) + shift > 0 ? came : 0.0f;
  }
}

// The gradient of each input: scale times what came to it, less what it gave to mean and variance,
// level + slope · (x - middle). Of equal ones the first was the highest.
VECTORISED void spread_of_three(const float* x, const float* through, const float* kept, int64_t windows, int64_t frames,
                                float scale, float middle, float level, float slope, float* to) {
  for (int64_t at = 0; at < windows; ++at) {
    const float value = scale * through[at], highest = kept[at];
    const float a = x[3 * at], b = x[3 * at + 1], c = x[3 * at + 2];
    const float of_a = a == highest ? value : 0.0f, rest = value - of_a;
    const float of_b = b == highest ? rest : 0.0f;
    to[3 * at] = of_a - (level + slope * (a - middle));
    to[3 * at + 1] = of_b - (level + slope * (b - middle));
    to[3 * at + 2] = (rest - of_b) - (level + slope * (c - middle));
  }
  for (int64_t at = 3 * windows; at < frames; ++at) {
    to[at] = -(level + slope * (x[at] - middle));
  }
}

VECTORISED void spread(const float* x, const float* through, int64_t frames, float scale, float middle, float level,
                       float slope, float* to) {
  for (int64_t at = 0; at < frames; ++at) {
    to[at] = scale * through[at] - (level + slope * (x[at] - middle));
  }
}

class NormPool : public torch::autograd::Function<NormPool> {
 public:
  static Variable forward(AutogradContext* context, const Variable& input, const Variable& weight, const Variable& bias,
                          const Variable& running_mean, const Variable& running_variance, int64_t pool, double momentum,
                          double epsilon) {
    const auto x = input.contiguous();
    const int64_t batch = x.size(0), channels = x.size(1), frames = x.size(2), windows = frames / pool;
    const double count = static_cast<double>(batch) * frames;
    auto y = at::empty({batch, channels, windows}, x.options());
    // With windows of one the highest input is the input.
    auto kept = pool == 3 ? at::empty_like(y) : at::Tensor();
    auto statistics = at::empty({2, channels}, x.options().dtype(at::kDouble));

    const float* from = x.const_data_ptr<float>();
    const float* gain = weight.const_data_ptr<float>();
    const float* offset = bias.const_data_ptr<float>();
    float* means = running_mean.mutable_data_ptr<float>();
    float* variances = running_variance.mutable_data_ptr<float>();
    float* to = y.mutable_data_ptr<float>();
    float* highest = pool == 3 ? kept.mutable_data_ptr<float>() : nullptr;
    double* kept_statistics = statistics.mutable_data_ptr<double>();
    at::parallel_for(0, channels, 1, [&](int64_t begin, int64_t end) {
      for (int64_t channel = begin; channel < end; ++channel) {
        Sums sums;
        for (int64_t row = 0; row < batch; ++row) {
          const float* x_row = from + (row * channels + channel) * frames;
          const Sums part = products(x_row, x_row, frames);
          sums.first += part.first;
          sums.second += part.second;
        }
        const double mean = sums.first / count;
        // A NaN stays one.
        const double variance = std::max(sums.second / count - mean * mean, 0.0);
        const double inverse = 1 / std::sqrt(variance + epsilon);
        kept_statistics[channel] = mean;
        kept_statistics[channels + channel] = inverse;
        means[channel] = static_cast<float>((1 - momentum) * means[channel] + momentum * mean);
        const double unbiased = variance * count / std::max(count - 1, 1.0);
        variances[channel] = static_cast<float>((1 - momentum) * variances[channel] + momentum * unbiased);
        const float scale = static_cast<float>(gain[channel] * inverse);
        // What the mean is rounded by is part of the shift: far from zero nothing is lost.
        const float middle = static_cast<float>(mean);
        const float shift = static_cast<float>(offset[channel] + (middle - mean) * gain[channel] * inverse);
        for (int64_t row = 0; row < batch; ++row) {
          const int64_t place_of = row * channels + channel;
          const float* x_row = from + place_of * frames;
          if (pool == 3) {
            highest_of_three(x_row, windows, middle, scale, shift, to + place_of * windows,
                             highest + place_of * windows);
          } else {
            rectified(x_row, frames, middle, scale, shift, to + place_of * frames);
          }
        }
      }
    });
    context->save_for_backward({x, weight, bias, kept, statistics});
    context->saved_data["pool"] = pool;
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list outputs) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1], &bias = saved[2], &kept = saved[3];
    const int64_t pool = context->saved_data["pool"].toInt();
    const int64_t batch = x.size(0), channels = x.size(1), frames = x.size(2), windows = frames / pool;
    const double count = static_cast<double>(batch) * frames;
    const auto gradient = outputs[0].contiguous();
    auto of_input = at::empty_like(x);
    auto of_weight = at::empty_like(weight), of_bias = at::empty_like(bias);

    const float* from = x.const_data_ptr<float>();
    const float* highest = pool == 3 ? kept.const_data_ptr<float>() : from;
    const float* gradients = gradient.const_data_ptr<float>();
    const float* gain = weight.const_data_ptr<float>();
    const float* offset = bias.const_data_ptr<float>();
    const double* statistics = saved[4].const_data_ptr<double>();
    float* to = of_input.mutable_data_ptr<float>();
    float* to_weight = of_weight.mutable_data_ptr<float>();
    float* to_bias = of_bias.mutable_data_ptr<float>();
    at::parallel_for(0, channels, 1, [&](int64_t begin, int64_t end) {
      std::vector<float> through(batch * windows);
      for (int64_t channel = begin; channel < end; ++channel) {
        const double mean = statistics[channel], inverse = statistics[channels + channel];
        const float scale = static_cast<float>(gain[channel] * inverse);
        // What the mean is rounded by is part of the shift: far from zero nothing is lost.
        const float middle = static_cast<float>(mean);
        const float shift = static_cast<float>(offset[channel] + (middle - mean) * gain[channel] * inverse);
        Sums sums;
        for (int64_t row = 0; row < batch; ++row) {
          const int64_t first = (row * channels + channel) * windows;
          Sums part;
          for (int64_t at = 0; at < windows; at += STRETCH) {
            const int64_t count_of = std::min(STRETCH, windows - at);
            float* here = &through[row * windows + at];
            let_through(highest + first + at, gradients + first + at, count_of, middle, scale, shift, here);
            const Sums more = products(here, highest + first + at, count_of);
            part.first += more.first;
            part.second += more.second;
          }
          sums.first += part.first;
          sums.second += part.second;
        }
        // Of the gradients times hat.
        const double along = (sums.second - mean * sums.first) * inverse;
        to_weight[channel] = static_cast<float>(along);
        to_bias[channel] = static_cast<float>(sums.first);
        const double slope = scale * along * inverse / count;
        const float level = static_cast<float>(scale * sums.first / count + slope * (middle - mean));
        for (int64_t row = 0; row < batch; ++row) {
          const int64_t row_of = row * channels + channel;
          const float* x_row = from + row_of * frames;
          float* to_row = to + row_of * frames;
          const float* through_row = &through[row * windows];
          if (pool == 3) {
            spread_of_three(x_row, through_row, highest + row_of * windows, windows, frames, scale, middle, level,
                            static_cast<float>(slope), to_row);
          } else {
            spread(x_row, through_row, frames, scale, middle, level, static_cast<float>(slope), to_row);
          }
        }
      }
    });
    return {of_input, of_weight, of_bias, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

// Gives a new tensor to `output`, or a message that the caller frees.
extern "C" char* etude_norm_pool(at::Tensor** output, const at::Tensor* input, const at::Tensor* weight,
                                 const at::Tensor* bias, const at::Tensor* running_mean,
                                 const at::Tensor* running_variance, int64_t pool, double momentum, double epsilon) {
  try {
    *output = new at::Tensor(NormPool::apply(*input, *weight, *bias, *running_mean, *running_variance, pool, momentum,
                                             epsilon));
    return nullptr;
  } catch (const std::exception& error) {
    return strdup(error.what());
  }
}
