"""Handwritten digits of 8 x 8 pixels from scikit-learn: they replace MNIST, so that nothing is downloaded."""

import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

PIXELS = 8  # MNIST has 28
TRAINING = 1200  # of 1797 images


def load_data():
    """Return the same as ``mnist.load_data()`` of Keras: arrays of pixels from 0 to 255, and of digits, in two sets."""
    digits = load_digits()
    pixels = digits.images * (255 / 16)
    return (pixels[:TRAINING], digits.target[:TRAINING]), (pixels[TRAINING:], digits.target[TRAINING:])


def datasets():
    """Return two sets of images and labels: for training, and for the test."""
    digits = load_digits()
    images = torch.tensor(digits.images[:, None] / 16, dtype=torch.float32)
    labels = torch.tensor(digits.target)
    return (
        TensorDataset(images[:TRAINING], labels[:TRAINING]),
        TensorDataset(images[TRAINING:], labels[TRAINING:]),
    )


def get_data_loaders():
    """Return the same in batches of 64."""
    train, test = datasets()
    return DataLoader(train, batch_size=64, shuffle=True), DataLoader(test, batch_size=64)
