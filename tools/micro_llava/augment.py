"""Random views of the training pictures, batch by batch, on tensors."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from config import MEAN, PAD_RGB, STD, VISION

BOARDS = (
    (181, 136, 99),
    (240, 217, 181),
    (118, 150, 86),
    (238, 238, 210),
    (140, 162, 173),
    (222, 227, 230),
)


def uniform(count: int, low: float, high: float) -> Tensor:
    """One random number a picture."""
    return torch.rand(count) * (high - low) + low


def chance(count: int, probability: float) -> Tensor:
    """One yes or no a picture, shaped to select pictures."""
    return (torch.rand(count) < probability).view(-1, 1, 1, 1)


def normalise(rgb: Tensor) -> Tensor:
    """Pixels in 0..1 to what the vision tower takes."""
    mean = torch.tensor(MEAN).view(1, 3, 1, 1)
    std = torch.tensor(STD).view(1, 3, 1, 1)
    return (rgb - mean) / std


def warp_grid(
    count: int, spin: float, zoom: tuple[float, float], shift: float, bend: float
) -> Tensor:
    """Sampling grids: rotation, scale, shear, shift and a smooth bend."""
    angle = uniform(count, -spin, spin) * torch.pi / 180
    scale_x = 1 / uniform(count, *zoom)
    scale_y = scale_x * uniform(count, 0.85, 1.18)
    shear = uniform(count, -0.12, 0.12) * (spin / 12)
    cos, sin = angle.cos(), angle.sin()
    rows = torch.stack(
        (
            torch.stack(
                (cos * scale_x, (-sin + shear) * scale_x, uniform(count, -shift, shift)), -1
            ),
            torch.stack((sin * scale_y, cos * scale_y, uniform(count, -shift, shift)), -1),
        ),
        dim=1,
    )
    size = VISION.image_size
    grid = F.affine_grid(rows, [count, 1, size, size], align_corners=False)
    noise = torch.randn(count, 2, 4, 4) * bend * torch.rand(count, 1, 1, 1)
    smooth = F.interpolate(noise, size=size, mode="bicubic", align_corners=True)
    return grid + smooth.permute(0, 2, 3, 1)


def random_colours(count: int) -> Tensor:
    """One colour a picture: any, a board's, or a grey."""
    colours = torch.rand(count, 3)
    board = torch.tensor(BOARDS)[torch.randint(len(BOARDS), (count,))] / 255
    kind = torch.rand(count, 1)
    grey = torch.rand(count, 1).expand(-1, 3)
    return torch.where(kind < 0.35, board, torch.where(kind < 0.55, grey, colours))


def backgrounds(count: int, white: float) -> Tensor:
    """White, plain, gradient, two squares, or soft clouds."""
    size = VISION.image_size
    first, second = (random_colours(count).view(-1, 3, 1, 1) for _ in range(2))
    y, x = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij")
    angle = uniform(count, 0, 6.283).view(-1, 1, 1, 1)
    ramp = ((x * angle.cos() + y * angle.sin()) * 0.5 + 0.5).clamp(0, 1)
    offset = uniform(count, -1.6, 1.6).view(-1, 1, 1, 1)
    edge = ((x * angle.cos() + y * angle.sin()) > offset).float()
    checks = (torch.sin(x * 9 + offset * 4) * torch.sin(y * (9 + offset) + angle) > 0).float()
    clouds = F.interpolate(torch.rand(count, 1, 6, 6), size=size, mode="bicubic").clamp(0, 1)
    kind = torch.rand(count).view(-1, 1, 1, 1)
    mix = torch.where(
        kind < 0.5,
        0.0,
        torch.where(
            kind < 0.62,
            ramp,
            torch.where(kind < 0.75, edge, torch.where(kind < 0.88, clouds, checks)),
        ),
    )
    ground = first * (1 - mix) + second * mix
    return torch.where(chance(count, white), torch.ones(()), ground)


def repaint(rgb: Tensor, wild: float) -> Tensor:
    """Invert, grey, recolour and stretch the colours of some pictures."""
    count = len(rgb)
    rgb = torch.where(chance(count, 0.22 * wild), 1 - rgb, rgb)
    grey = (rgb * torch.tensor((0.3, 0.59, 0.11)).view(1, 3, 1, 1)).sum(1, keepdim=True)
    rgb = torch.where(chance(count, 0.25), grey.expand_as(rgb), rgb)
    low, high = (random_colours(count).view(-1, 3, 1, 1) for _ in range(2))
    rgb = torch.where(chance(count, 0.3 * wild), low + (high - low) * grey, rgb)
    rolled = rgb.roll(1, dims=1)
    rgb = torch.where(chance(count, 0.15 * wild), rolled, rgb)
    gain = (1 + torch.randn(count, 3, 1, 1) * 0.12) * uniform(count, 0.75, 1.25).view(-1, 1, 1, 1)
    return (rgb * gain + uniform(count, -0.12, 0.12).view(-1, 1, 1, 1)).clamp(0, 1)


def thicken(rgba: Tensor) -> Tensor:
    """Make the lines of some drawings thicker, of others thinner."""
    kind = torch.rand(len(rgba))
    bold, thin = (kind < 0.12).nonzero()[:, 0], (kind > 0.88).nonzero()[:, 0]
    changed = rgba.clone()
    wide = F.max_pool2d(rgba[bold, 3:], 3, 1, 1)
    dark = -F.max_pool2d(-(rgba[bold, :3] + (1 - rgba[bold, 3:])), 3, 1, 1)
    changed[bold] = torch.cat((dark.clamp(0, 1) * wide, wide), 1)
    light = F.max_pool2d(rgba[thin, :3], 3, 1, 1)
    changed[thin, :3] = torch.minimum(light, rgba[thin, 3:])
    return changed


def soften(rgb: Tensor) -> Tensor:
    """Blur some, pixelate some, add noise to some."""
    count, size = len(rgb), VISION.image_size
    kind = torch.rand(count)
    blurred, coarse = (kind < 0.3).nonzero()[:, 0], (kind > 0.88).nonzero()[:, 0]
    changed = rgb.clone()
    changed[blurred] = F.avg_pool2d(F.pad(rgb[blurred], (1, 1, 1, 1), mode="replicate"), 3, 1)
    small = int(torch.randint(24, 44, ()).item())
    rough = F.interpolate(rgb[coarse], size=small, mode="area")
    changed[coarse] = F.interpolate(rough, size=size, mode="bilinear")
    noisy = (torch.rand(count) < 0.25).nonzero()[:, 0]
    strength = uniform(len(noisy), 0, 0.12).view(-1, 1, 1, 1)
    changed[noisy] += torch.randn_like(changed[noisy]) * strength
    return changed.clamp(0, 1)


def bars(rgb: Tensor, narrow: Tensor, upright: Tensor) -> Tensor:
    """Cover what lies outside a centred box, as llama.cpp pads pictures that are not square."""
    size = VISION.image_size
    line = torch.linspace(-1, 1, size)
    box = narrow.view(-1, 1, 1, 1)
    across = (line.view(1, 1, 1, -1).abs() > box).expand(-1, 1, size, -1)
    down = (line.view(1, 1, -1, 1).abs() > box).expand(-1, 1, -1, size)
    covered = torch.where(upright.view(-1, 1, 1, 1), across, down)
    return torch.where(covered, torch.tensor(PAD_RGB).view(1, 3, 1, 1) / 255, rgb)


def box_sizes(count: int, probability: float) -> tuple[Tensor, Tensor]:
    """How wide the padded box of each picture is, and whether the bars stand upright."""
    narrow = torch.where(
        torch.rand(count) < probability, uniform(count, 0.45, 0.95), torch.ones(count)
    )
    return narrow, torch.rand(count) < 0.5


def view_digits(grey: Tensor) -> Tensor:
    """Digits: mostly as they are, some turned, inverted, coloured or padded."""
    count = len(grey)
    # MNIST is white on black; the border of a shifted digit is black too.
    image = grey.float().unsqueeze(1) / 255
    narrow, upright = box_sizes(count, 0.15)
    calm = torch.rand(count) < 0.5
    grid = torch.where(
        calm.view(-1, 1, 1, 1),
        calm_grid(count),
        warp_grid(count, 12.0, (0.85, 1.12), 0.1, 0.03),
    )
    image = F.grid_sample(
        image, grid / narrow.view(-1, 1, 1, 1), mode="bicubic", align_corners=False
    ).clamp(0, 1)
    low, high = (random_colours(count).view(-1, 3, 1, 1) for _ in range(2))
    flat = (low - high).abs().mean((1, 2, 3), keepdim=True) < 0.35
    rgb = torch.where(chance(count, 0.15), 1 - image, image).expand(-1, 3, -1, -1)
    rgb = torch.where(chance(count, 0.08) & ~flat, low + (high - low) * image, rgb)
    rgb = torch.where((torch.rand(count) < 0.6).view(-1, 1, 1, 1), rgb, soften(rgb))
    return normalise(bars(rgb, narrow, upright))


def calm_grid(count: int) -> Tensor:
    """A small shift only."""
    rows = torch.eye(2, 3).repeat(count, 1, 1)
    rows[:, :, 2] = (torch.rand(count, 2) - 0.5) * 0.12
    size = VISION.image_size
    return F.affine_grid(rows, [count, 1, size, size], align_corners=False)


def view_pictures(rgba_bytes: Tensor, opaque: Tensor, wild: float) -> Tensor:
    """Drawings on random grounds; renders with a ground of their own only moved."""
    count = len(rgba_bytes)
    rgba = rgba_bytes.float() / 255
    rgb = repaint(rgba[:, :3], wild)
    rgba = torch.cat((rgb * rgba[:, 3:], rgba[:, 3:]), 1)
    solid = opaque.view(-1, 1, 1, 1)
    rgba = torch.where(solid, rgba, thicken(rgba))
    narrow, upright = box_sizes(count, 0.2)
    grid = warp_grid(count, 14.0, (0.62, 1.08), 0.14, 0.05)
    near = warp_grid(count, 8.0, (1.0, 1.5), 0.15, 0.03)
    grid = torch.where(solid, near, grid) / narrow.view(-1, 1, 1, 1)
    flip = torch.where(torch.rand(count, 1, 1) < 0.5, -1.0, 1.0)
    grid = torch.stack((grid[..., 0] * flip, grid[..., 1]), -1)
    drawn = F.grid_sample(rgba, grid, mode="bilinear", align_corners=False)
    seen = drawn[:, :3] + backgrounds(count, 0.35) * (1 - drawn[:, 3:])
    return normalise(bars(soften(seen), narrow, upright))


def plain_view(rgba_bytes: Tensor) -> Tensor:
    """The picture on white, unchanged but for its size: what validation looks at."""
    rgba = rgba_bytes.float() / 255
    rgb = rgba[:, :3] * rgba[:, 3:] + (1 - rgba[:, 3:])
    size = VISION.image_size
    return normalise(F.interpolate(rgb, size=size, mode="bicubic", antialias=True).clamp(0, 1))


def no_picture(count: int) -> Tensor:
    """Blank, noisy, cloudy or striped: pictures of nothing."""
    size = VISION.image_size
    ground = backgrounds(count, 0.15)
    noise = torch.rand(count, 3, size, size)
    lumps = F.interpolate(torch.rand(count, 3, 9, 9), size=size, mode="nearest")
    kind = torch.rand(count).view(-1, 1, 1, 1)
    rgb = torch.where(kind < 0.5, ground, torch.where(kind < 0.75, noise, lumps))
    narrow, upright = box_sizes(count, 0.2)
    return normalise(bars(soften(rgb), narrow, upright))
